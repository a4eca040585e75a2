// SPDX-License-Identifier: Apache-2.0
// Files, directories and links: open, read, write, stat, watch.
export * from './node/files.ts'
