// SPDX-License-Identifier: Apache-2.0
// Errors of system calls as the host's streams emit them. Everything else is an error of the table in src/errors/.
export * from './node/errors.ts'
