// SPDX-License-Identifier: Apache-2.0
// Implements ../runtime.ts in the binary without Node.

/** True in Node itself, false in other runtimes. */
export const runsInNode = false
