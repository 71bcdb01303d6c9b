/**
 * What a machine offers to those who run on it; node/Machine.ts finds out.
 */
export interface Machine {
  /** Cores this process may use. */
  readonly cores: number
  /** Bytes that all processes of this machine or container may have together. */
  readonly memoryBytes: number
  /** Addresses of its network interfaces, by name. */
  readonly interfaces: Readonly<Record<string, ReadonlyArray<string>>>
  /** The folder from which relative paths of modules are meant, as a URL that ends in a slash. */
  readonly folder: string
}
