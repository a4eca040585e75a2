// SPDX-License-Identifier: Apache-2.0
// Numbers of errors, signals and priorities on this machine, and their names.
export * from './node/constants.ts'
