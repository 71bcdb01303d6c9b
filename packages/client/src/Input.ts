/**
 * Types of what tasks take: values whose parts may be futures, the errors that
 * come in with those, and what arrives in their place.
 *
 * They go down five levels (errors eight) and then stop, so that recursive data
 * types end here instead of in TS2589.
 */
import type * as Effect from "effect/Effect"
import type { Future } from "./Future.ts"

type Leaf = string | number | bigint | boolean | symbol | null | undefined | Date | RegExp | Error | ArrayBuffer | SharedArrayBuffer
  | ArrayBufferView | Effect.Effect<any, any, any> | ((...a: any) => any)
type IsAny<T> = 0 extends 1 & T ? true : false
/** One level less. */
type Less = [never, 0, 1, 2, 3, 4, 5, 6, 7]

/** A value whose parts may be futures, down to five levels of plain objects, arrays, maps and sets. */
export type Input<T> = T | Future<T, any> | Parts<T, 5>
type Parts<T, D extends number> = [D] extends [never] ? never : T extends Leaf ? never
  : T extends ReadonlyArray<unknown> ? { readonly [K in keyof T]: Part<T[K], Less[D]> }
  : T extends ReadonlyMap<infer K, infer V> ? ReadonlyMap<K, Part<V, Less[D]>>
  : T extends ReadonlySet<infer V> ? ReadonlySet<Part<V, Less[D]>>
  : T extends object ? { readonly [K in keyof T]: Part<T[K], Less[D]> } : never
type Part<T, D extends number> = T | Future<T, any> | Parts<T, D>

/** Errors that come in with the futures inside an input. */
export type ErrorsOf<I, D extends number = 8> = IsAny<I> extends true ? never : [D] extends [never] ? never
  : I extends Future<any, infer E> ? E
  : I extends Leaf ? never
  : I extends ReadonlyArray<infer U> ? ErrorsOf<U, Less[D]>
  : I extends ReadonlyMap<any, infer V> ? ErrorsOf<V, Less[D]>
  : I extends ReadonlySet<infer V> ? ErrorsOf<V, Less[D]>
  : I extends object ? ErrorsOf<I[keyof I], Less[D]> : never

/** `true` if there is a future inside, `never` if not. */
export type Holds<I, D extends number = 8> = IsAny<I> extends true ? never : [D] extends [never] ? never
  : I extends Future.Any ? true
  : I extends Leaf ? never
  : I extends ReadonlyArray<infer U> ? Holds<U, Less[D]>
  : I extends ReadonlyMap<any, infer V> ? Holds<V, Less[D]>
  : I extends ReadonlySet<infer V> ? Holds<V, Less[D]>
  : I extends object ? Holds<I[keyof I], Less[D]> : never

/** What arrives in place of an input: futures become their values; what holds none keeps its own type, classes too. */
export type Gathered<I> = I extends Future<infer A, any> ? A
  : [Holds<I>] extends [never] ? I
  : I extends ReadonlyArray<any> ? { [K in keyof I]: Gathered<I[K]> }
  : I extends ReadonlyMap<infer K, infer V> ? Map<K, Gathered<V>>
  : I extends ReadonlySet<infer V> ? Set<Gathered<V>>
  : { [K in keyof I]: Gathered<I[K]> }

/** The same as a body's parameters see it: copies, hence mutable, and no literals. */
export type Received<I> = I extends Future<infer A, any> ? A
  : I extends string ? string : I extends number ? number : I extends boolean ? boolean : I extends bigint ? bigint : I extends Leaf ? I
  : I extends ReadonlyArray<any> ? { -readonly [K in keyof I]: Received<I[K]> } : Gathered<I>
export type ReceivedAll<I extends ReadonlyArray<unknown>> = { -readonly [K in keyof I]: Received<I[K]> }

/** The parameters of a body, each of which may be or hold a future. */
export type Inputs<Args extends ReadonlyArray<any>> = { readonly [K in keyof Args]: Input<Args[K]> }
