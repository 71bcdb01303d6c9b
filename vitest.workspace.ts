/**
 * One test project per package and app. Vitest 5 no longer reads this file by
 * itself: the npm scripts name it with --config.
 */
import { existsSync, readdirSync } from "node:fs"
import { defineConfig } from "vitest/config"

const projects = ["packages", "apps"].flatMap((folder) =>
  readdirSync(folder).map((name) => ({ folder, name })).filter(({ folder, name }) => existsSync(`${folder}/${name}/test`))
)

export default defineConfig({
  test: {
    projects: projects.map(({ folder, name }) => ({
      extends: true as const,
      test: { name, root: `${folder}/${name}`, include: ["test/**/*.test.ts"] }
    })),
    // One test file per core: left to itself, Vitest leaves one core idle.
    maxWorkers: "100%",
    fakeTimers: { toFake: undefined }
  }
})
