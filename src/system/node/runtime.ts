// SPDX-License-Identifier: Apache-2.0
// Detects the runtime that executes this code. Bun and Deno provide Node's API, with differences that
// src/system/pipes.ts and src/run/environment.ts handle.

const { bun, deno } = process.versions

/** True in Node itself, false in Bun and Deno. */
export const runsInNode = bun === undefined && deno === undefined

/** The runtime and its version, as `hutch version` prints it. */
export const runtimeName = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${process.version}`

/** Describes an error that hutch does not expect, for its developers. */
export function describeFault(error: unknown): string {
  return `hutch: ${(error as Error).stack ?? String(error)}\n`
}
