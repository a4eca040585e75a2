// SPDX-License-Identifier: Apache-2.0
// Reads the monotonic clock, and pauses.
export * from './node/clock.ts'
