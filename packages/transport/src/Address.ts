/**
 * Where something listens: `host:port`, `tcp://host:port`, `unix:/path` or
 * `inproc://name`. An IPv6 address stands in brackets: `[::1]:8786`.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

export type Address =
  | { readonly _tag: "Tcp"; readonly host: string; readonly port: number }
  | { readonly _tag: "Unix"; readonly path: string }
  | { readonly _tag: "Inproc"; readonly name: string }

/** Nothing listens at such an address, ever. */
export class BadAddress extends Schema.TaggedError<BadAddress>()("BadAddress", {
  address: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `"${this.address}" is no address: ${this.detail}. Write host:port, tcp://host:port, unix:/path or inproc://name.`
  }
}

export const tcp = (host: string, port: number): Address => ({ _tag: "Tcp", host, port })
export const unix = (path: string): Address => ({ _tag: "Unix", path })
export const inproc = (name: string): Address => ({ _tag: "Inproc", name })

/** The longest path of a unix socket, in bytes: the kernel's limit on Linux, less the closing zero. */
export const unixPathLimit = 107

/** Reads an address; `print` writes it. */
export const parse = (address: string): Result.Result<Address, BadAddress> => {
  const bad = (detail: string) => Result.fail(new BadAddress({ address: address.slice(0, 300), detail }))
  const scheme = /^([a-z]+):(?=\/|$)/.exec(address)?.[1]
  if (scheme === "unix") {
    const path = address.slice("unix:".length).replace(/^\/\/(?=\/)/, "")
    const wrong = unixPathProblem(path)
    return wrong === undefined ? Result.succeed(unix(path)) : bad(wrong)
  }
  if (scheme === "inproc") {
    const name = /^inproc:\/\/([\w.-]{1,100})$/.exec(address)?.[1]
    return name === undefined ? bad("a name of letters, digits, dots, dashes and underscores must follow inproc://") : Result.succeed(inproc(name))
  }
  if (scheme !== undefined && scheme !== "tcp") return bad(`there is no transport "${scheme}"`)
  const rest = scheme === "tcp" ? address.slice("tcp://".length) : address
  if (scheme === "tcp" && !address.startsWith("tcp://")) return bad("tcp: must be followed by //host:port")
  const parts = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([\w.-]+)):(\d{1,5})$/.exec(rest)
  if (parts === null) return bad(rest.includes("::") && !rest.includes("[") ? "an IPv6 address stands in brackets" : "a host and a port are wanted")
  const port = Number(parts[3])
  if (port > 65535) return bad(`ports end at 65535`)
  const ipv6 = parts[1]
  if (ipv6 !== undefined && !ipv6.includes(":")) return bad("only an IPv6 address stands in brackets")
  return Result.succeed(tcp(ipv6 ?? parts[2]!, port))
}

/** The address as `parse` reads it, always with its scheme. */
export const print = (address: Address): string => {
  switch (address._tag) {
    case "Tcp":
      return `tcp://${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`
    case "Unix":
      return `unix:${address.path}`
    case "Inproc":
      return `inproc://${address.name}`
  }
}

/** What is wrong with a unix socket's path, if anything. */
export const unixPathProblem = (path: string): string | undefined => {
  if (!path.startsWith("/")) return "the path of a unix socket starts with /"
  if (path.includes("\0")) return "the path holds a zero byte"
  const bytes = new TextEncoder().encode(path).length
  return bytes > unixPathLimit
    ? `the path of a unix socket has ${unixPathLimit} bytes at most, and this one ${bytes}; set TMPDIR, or choose a shorter directory`
    : undefined
}
