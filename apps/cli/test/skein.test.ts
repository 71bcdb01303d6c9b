/**
 * What `skein` says before anything starts: help, mistakes, completions.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder, refuses, said } from "./command.ts"

/** What commands do is compiled when they first do it, and that is slow under vitest where every core is busy. */
const WITHIN = 60_000

const commands = [["run"], ["local"], ["scheduler"], ["worker"], ["sim", "run"], ["sim", "replay"]]

describe("skein", () => {
  it.effect("help names the commands and the exit codes", () =>
    Effect.gen(function*() {
      const { code, err, out } = yield* said("--help")
      assert.deepStrictEqual([code, err], [0, ""])
      assert.include(out, "Exit codes: 0 done, 1 what ran has failed, 2 wrong usage, 3 no scheduler, 130 Ctrl-C, 143 SIGTERM.")
      assert.include(out, [
        "  run          Run a program on a cluster",
        "  local        Run a cluster on this machine",
        "  scheduler    Run a scheduler",
        "  worker       Run workers for a scheduler that runs elsewhere",
        "  sim          Simulated clusters in virtual time, under faults drawn from a seed"
      ].join("\n"))
      assert.isAtMost(out.trimEnd().split("\n").length, 24)
    }))

  it.effect("each command's help has examples, and says of every flag what it is for and what holds without it", () =>
    Effect.gen(function*() {
      for (const command of commands) {
        const { out } = yield* said(...command, "--help")
        assert.match(out, new RegExp(`EXAMPLES\n {2}# .+\n {2}skein ${command.join(" ")}[ \n]`), command.join(" "))
        const flags = /\nFLAGS\n([\s\S]*?)\n\n/.exec(out)![1]!.split("\n")
        for (const flag of flags) assert.match(flag, /^ {2}--[a-z-]+( \S+)? {2,}[A-Z].*(\[(default: |env )|[Oo]therwise )/, `${command.join(" ")}: ${flag}`)
      }
    }))

  it.effect("what is misspelt is told alone, with what may have been meant", () =>
    Effect.gen(function*() {
      yield* refuses(["wroker"], "✖ Unknown subcommand \"wroker\" for \"skein\"\n\n  Did you mean this?\n    worker\n  see  skein --help")
      yield* refuses(["scheduler", "--prt", "1"], "✖ Unrecognized flag: --prt in command skein scheduler\n\n  Did you mean this?\n    --port\n  see  skein scheduler --help")
      const at = yield* folder
      writeFileSync(join(at, "report.ts"), "")
      yield* refuses(["run", join(at, "reprot.ts")], `✖ there is no file ${join(at, "reprot.ts")}\n  Did you mean report.ts?`)
      yield* refuses(["worker", "unix:/x", "--tasks", join(at, "nowhere.ts")], `✖ there is no file ${join(at, "nowhere.ts")} in ${process.cwd()}`)
    }), WITHIN)

  it.effect("numbers, lengths of time and resources that cannot be are refused by their flags", () =>
    Effect.gen(function*() {
      const wrong = (command: string, flag: string, got: string, expected: string) =>
        `✖ Invalid value for flag --${flag}: "${got}". Expected: ${expected}\n  see  skein ${command} --help`
      yield* refuses(["scheduler", "--port", "65536"], wrong("scheduler", "port", "65536", "a number from 0 to 65535"))
      yield* refuses(["worker", "--zero", "5000", "unix:/x"], wrong("worker", "zero", "5000", "a number from 1 to 4000"))
      yield* refuses(["scheduler", "--idle-timeout", "soon"], wrong("scheduler", "idle-timeout", "soon", "a length of time above 0, such as \"30 seconds\" or 30s, and not \"soon\""))
      yield* refuses(["worker", "--resources", "GPU", "unix:/x"], wrong("worker", "resources", "GPU", "names and numbers, such as GPU=1,memory=4e9, and not GPU"))
      yield* refuses(["worker", "--memory-limit", "lots", "unix:/x"], "✖ --memory-limit must be a number of bytes, a text such as \"2GiB\", a fraction of the machine's memory up to 1, \"auto\", or null or 0 for none, got \"lots\"")
      yield* refuses(["worker", "--workers", "2", "--port", "9000", "unix:/x"], "✖ --port 9000 is one port, and 2 workers need one each: leave it out")
      yield* refuses(["local", "--protocol", "unix", "--port", "1"], "✖ SKEIN4003 the option `schedulerPort` is not valid\n  `schedulerPort` needs `protocol: \"tcp\"`, and the protocol is \"unix\"")
    }), WITHIN)

  it.effect("a worker must be told where its scheduler is, once, and a scheduler that others can reach needs a token", () =>
    Effect.gen(function*() {
      yield* refuses(["worker"], "✖ where is the scheduler?\n  fix  give ADDRESS, --address or --scheduler-file, or set SKEIN_SCHEDULER_ADDRESS or SKEIN_SCHEDULER_FILE")
      yield* refuses(["worker", "unix:/x", "--scheduler-file", "y"], "✖ where the scheduler is was said twice: give one of ADDRESS, --address and --scheduler-file")
      yield* refuses(["worker", "nonsense"], "✖ SKEIN2008 \"nonsense\" is no address (a host and a port are wanted)\n  fix  `host:8786`, `tcp://host:8786` or `unix:/path`; for a cluster of your own, `LocalCluster.layer()` or `Client.layerAuto()`")
      yield* refuses(["scheduler", "--host", "0.0.0.0"], "✖ --token-file is missing: others can reach 0.0.0.0, and could run code on the workers. Give a token, or listen on 127.0.0.1")
      const empty = join(yield* folder, "token")
      writeFileSync(empty, "\n")
      const { code, err } = yield* said("scheduler", "--token-file", empty)
      assert.strictEqual(code, 2)
      assert.include(err, "the file is empty; it must hold the cluster's token")
    }), WITHIN)

  it.live("a worker that finds no scheduler within its death timeout ends with 3", () =>
    Effect.gen(function*() {
      const nobody = join(yield* folder, "s.sock")
      const { code, err, out } = yield* said("worker", `unix:${nobody}`, "--death-timeout", "50ms")
      assert.deepStrictEqual([code, out], [3, ""])
      assert.match(err, /^✖ SKEIN2001 no scheduler at unix:\S+s\.sock \(.*\)\n {2}fix {2}start one, `skein scheduler`, or correct the address\n$/)
    }), WITHIN)

  it.effect("a file to run must export a program", () =>
    Effect.gen(function*() {
      const data = join(yield* folder, "data.mjs")
      writeFileSync(data, "export default { n: 1 }\n")
      yield* refuses(["run", data], `✖ ${data} has no program: its default export is an object\n  fix  export default an Effect that needs Client, Cluster or Scope, or a function that gives one`)
    }), WITHIN)

  it.effect("what belongs to a cluster of one's own is refused beside another's address", () =>
    refuses(["run", "x.ts", "--address", "unix:/x", "--workers", "2"], "✖ --workers is for a cluster of the program's own, and --address or --scheduler-file name another: leave one of them out"), WITHIN)

  it.effect("completions are a script that knows the commands and flags", () =>
    Effect.gen(function*() {
      const { code, out } = yield* said("--completions", "bash")
      assert.strictEqual(code, 0)
      for (const word of ["skein", "scheduler", "--scheduler-file", "--no-workers-timeout"]) assert.include(out, word)
    }))
})
