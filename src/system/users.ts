// SPDX-License-Identifier: Apache-2.0
// The caller's home directory.
export * from './node/users.ts'
