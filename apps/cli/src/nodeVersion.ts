/**
 * Whether this Node can run the command.
 *
 * npm only warns of an engine that is too old, and what such a Node says by
 * itself, of a name that some module does not export, tells nobody what to do.
 */

/** As `engines` in package.json says it. */
const LEAST = [22, 19] as const

/** What is to be said to the user of this version of Node, such as "20.20.2"; undefined if it is new enough. */
export const tooOld = (version: string): string | undefined => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) return undefined
  return `✖ skein needs Node ${LEAST.join(".")} or later, and this is Node ${version}\n` +
    "  fix  npm install --save-dev node@24, which gives npx a Node of its own, or install a later one from https://nodejs.org"
}
