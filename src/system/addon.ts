// SPDX-License-Identifier: Apache-2.0
// Loads the C core. Only native.ts imports this module.
export * from './node/addon.ts'
