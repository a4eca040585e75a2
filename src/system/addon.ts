// SPDX-License-Identifier: Apache-2.0
// Loads the C core on this host. Only native.ts imports it.
export * from './node/addon.ts'
