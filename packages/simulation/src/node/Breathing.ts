/**
 * A turn of the event loop between two runs: what a run held by weak references is only then let go.
 */
export const breathe = (): Promise<void> => new Promise((resume) => void setImmediate(resume))
