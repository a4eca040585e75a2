// SPDX-License-Identifier: Apache-2.0
// Implements ../addon.ts on Node: the C core is an addon of Node.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

/** The directory of the built files: build/, beside src/ and dist/. This module runs from src/system/node/ or, bundled, from dist/. */
export const buildDirectory = fileURLToPath(
  new URL(import.meta.url.endsWith('/system/node/addon.ts') ? '../../../build' : '../build', import.meta.url),
)

/** Loads the C core from a file. Throws if the file is missing or was built for another Node. */
export function loadAddon(path: string): unknown {
  return createRequire(import.meta.url)(path)
}
