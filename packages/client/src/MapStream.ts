/**
 * Tasks for the elements of a stream, a bounded number of them at a time.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { BadOption, SubmitError } from "@skein/protocol/Errors"
import { Future } from "./Future.ts"
import type { MapStreamOptions } from "./Submit.ts"

/** Tasks in flight unless somebody says otherwise: enough for a cluster of this many slots. */
const WINDOW = 64

/**
 * The results of the tasks that `submit` submits for the elements. Each is released once its result is here. The first failure, of a
 * task or of the input, fails the stream; then, and when nobody takes from it any more, what is in flight is cancelled.
 */
export const mapStream = <I, E2, R2>(
  input: Stream.Stream<I, E2, R2>,
  submit: (item: I) => Effect.Effect<Future.Any, SubmitError>,
  { ordered = true, window = WINDOW }: MapStreamOptions = {}
): Stream.Stream<unknown, unknown, R2> => {
  if (!(Number.isSafeInteger(window) && window >= 1)) {
    return Stream.fail(SubmitError.because(new BadOption({ option: "window", expected: "a whole number from 1" })))
  }
  if (typeof ordered !== "boolean") return Stream.fail(SubmitError.because(new BadOption({ option: "ordered", expected: "true or false" })))
  return Stream.mapEffect(input, (item) => Future.run(submit(item)), { concurrency: window, unordered: !ordered })
}
