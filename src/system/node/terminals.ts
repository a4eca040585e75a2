// SPDX-License-Identifier: Apache-2.0
// Node's host of ../terminals.ts.
export { isatty, WriteStream } from 'node:tty'
