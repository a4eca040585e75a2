// SPDX-License-Identifier: Apache-2.0
// Implements ../terminals.ts on Node.
export { isatty, WriteStream } from 'node:tty'
