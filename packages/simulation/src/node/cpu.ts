/** What a function gives, and the CPU time that it took, milliseconds. */
export const measured = <A>(f: () => A): readonly [A, number] => {
  const before = process.cpuUsage()
  const result = f()
  const { system, user } = process.cpuUsage(before)
  return [result, (system + user) / 1_000]
}
