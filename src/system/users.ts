// SPDX-License-Identifier: Apache-2.0
// Returns the caller's home directory.
export * from './node/users.ts'
