/**
 * Clients that the environment tells where to go.
 */
import { assert, describe, it } from "@effect/vitest"
import { Client, type LocalClusterOptions, Scheduler } from "@skein/cluster"
import { Config, ConfigProvider, Effect, Layer, Redacted } from "effect"

const variables = (env: Readonly<Record<string, string>>) => Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env)))
const addressOf = <E>(layer: Layer.Layer<Client, E>) => Effect.map(Client, ({ cluster }) => cluster.schedulerAddress).pipe(Effect.provide(layer))
const withScheduler = <A, E, R>(use: (address: string) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Scheduler, ({ address }) => use(address)).pipe(Effect.provide(Scheduler.layer({ protocol: "unix", token: Redacted.make("secret") })))

describe("Client.layerConfig", () => {
  it.live("connects where the environment says", () =>
    withScheduler((address) =>
      Effect.gen(function*() {
        const env = { SKEIN_SCHEDULER_ADDRESS: address, SKEIN_TOKEN: "secret", SKEIN_SCHEDULER_FILE: "" }
        assert.strictEqual(yield* variables(env)(addressOf(Client.layerConfig())), address)
        assert.deepInclude(yield* variables({ ...env, SKEIN_TOKEN: "wrong" })(Effect.flip(addressOf(Client.layerConfig()))), { reason: "Unauthorized" })
      })
    ))

  it.live("goes where the program says rather than the environment", () =>
    withScheduler((address) =>
      Effect.gen(function*() {
        const env = { SKEIN_SCHEDULER_ADDRESS: "unix:/nowhere", SKEIN_SCHEDULER_FILE: "/nowhere.json", SKEIN_TOKEN: "wrong", MINE: address, TOKEN: "secret" }
        const layer = Client.layerConfig({ address: Config.String("MINE"), token: Config.Redacted("TOKEN"), name: Config.succeed("ann") })
        assert.strictEqual(yield* variables(env)(addressOf(layer)), address)
        const named = Effect.map(Client, ({ id }) => id).pipe(Effect.provide(layer))
        assert.match(yield* variables(env)(named), /^ann-/)
      })
    ))

  it.effect("says what it cannot do, and what is missing", () =>
    Effect.gen(function*() {
      const message = (env: Readonly<Record<string, string>>) => Effect.map(variables(env)(Effect.flip(addressOf(Client.layerConfig()))), ({ message }) => message)
      for (const name of ["SKEIN_TLS_CA", "SKEIN_TLS_CERT", "SKEIN_TLS_KEY"]) {
        assert.strictEqual(
          yield* message({ SKEIN_SCHEDULER_ADDRESS: "unix:/nowhere", [name]: "x.pem" }),
          `SKEIN2009 an option of the client is not valid (\`${name}\` is not in this release yet; leave it out)\n  fix  change or remove it`
        )
      }
      assert.match(yield* message({}), /^SKEIN2008 no address was given\n/)
      assert.include(yield* message({ SKEIN_SCHEDULER_ADDRESS: "unix:/a", SKEIN_SCHEDULER_FILE: "/b" }), "(`schedulerFile` says where the scheduler is, and so does `address`")
    }))
})

describe("Client.layerAuto", () => {
  const options: LocalClusterOptions = { processes: false, protocol: "inproc", workers: 1, threadsPerWorker: 1 }

  it.live("goes where the environment says, and starts a cluster of its own where that says nothing", () =>
    withScheduler((address) =>
      Effect.gen(function*() {
        const env = { SKEIN_SCHEDULER_ADDRESS: address, SKEIN_TOKEN: "secret" }
        assert.strictEqual(yield* variables(env)(addressOf(Client.layerAuto(options))), address)
        assert.strictEqual(yield* variables({})(addressOf(Client.layerAuto(options))), "inproc://scheduler")
      })
    ))

  it.effect("refuses options of its cluster that are wrong", () =>
    Effect.gen(function*() {
      const error = yield* variables({})(Effect.flip(addressOf(Client.layerAuto({ ...options, workers: -1 }))))
      assert.deepInclude(error, { reason: "BadOption", option: "workers" })
    }))

  it("is built by who asks for the service of the client package too", () => {
    const program: Effect.Effect<string, never, Client> = Effect.map(Client, ({ id }) => id)
    assert.isTrue(Layer.isLayer(Client.layerAuto(options)))
    assert.strictEqual(Client.key, "skein/Client")
    assert.isTrue(Effect.isEffect(program))
  })
})
