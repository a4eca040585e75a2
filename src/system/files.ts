// SPDX-License-Identifier: Apache-2.0
// Opens, reads, writes, examines and watches files, directories and links.
export * from './node/files.ts'
