// SPDX-License-Identifier: Apache-2.0
// Creates errors of system calls in the form that Node's streams emit. All other errors are in the tables of
// src/errors/.
export * from './node/errors.ts'
