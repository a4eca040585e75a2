// SPDX-License-Identifier: Apache-2.0
// Detects the runtime that executes this code. Bun and Deno provide Node's API, with differences that
// src/system/pipes.ts and src/run/environment.ts handle.

const { bun, deno } = process.versions

/** True in Node itself, false in Bun and Deno. */
export const runsInNode = bun === undefined && deno === undefined
