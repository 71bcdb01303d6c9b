/**
 * Why what was to listen does not, out of what it wrote when it ended.
 */
import { ClusterError } from "@skein/protocol/Errors"

/**
 * `PortTaken` with the address, if its words say that; else `WorkersFailed` with the words. The process that failed is another one
 * in some clusters, so that words are all there is.
 */
export const notStarted = (words: string): ClusterError => {
  const taken = /EADDRINUSE: address already in use (\S+)/.exec(words)
  return taken === null
    ? ClusterError.because("WorkersFailed", { detail: words })
    : ClusterError.because("PortTaken", { detail: `${taken[1]!} is in use\n  fix  another port (\`schedulerPort\`, \`--port\`), or 0 for any that is free` })
}
