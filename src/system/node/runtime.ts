// SPDX-License-Identifier: Apache-2.0
// Which runtime executes this code. Node's API is the same in Bun and Deno, except what src/system/pipes.ts and
// src/run/environment.ts ask here.

const { bun, deno } = process.versions

/** True in Node itself, false in Bun and Deno. */
export const runsInNode = bun === undefined && deno === undefined
