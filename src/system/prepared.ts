// SPDX-License-Identifier: Apache-2.0
// Values that do not depend on the machine or the command line: the binary without Node has them in its snapshot.
export * from './node/prepared.ts'
