// SPDX-License-Identifier: Apache-2.0
// The monotonic clock, and pauses.
export * from './node/clock.ts'
