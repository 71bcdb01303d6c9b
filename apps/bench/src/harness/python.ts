/**
 * The Python in which Dask and Ray are.
 */
import { execFileSync } from "node:child_process"

/** What a Python can import of these, with its version; nothing if it is no Python. */
export const peerVersions = (python: string): Readonly<Record<string, string>> => {
  try {
    return JSON.parse(execFileSync(python, ["-c", versionsProgram], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })) as Record<string, string> // written by the program below
  } catch {
    return {}
  }
}

/** A python3 that can import distributed; else "python3", of which rows will say what it lacks. */
export const findPython = (): string => ["python3", "/usr/bin/python3"].find((python) => peerVersions(python)["distributed"] !== undefined) ?? "python3"

const versionsProgram = `
import importlib.metadata, json
found = {}
for name in ("distributed", "ray"):
    try: found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError: pass
print(json.dumps(found))
`
