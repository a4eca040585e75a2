// SPDX-License-Identifier: Apache-2.0
// The C core: where it is, and how this host loads it. Only native.ts uses it.
export * from './node/addon.ts'
