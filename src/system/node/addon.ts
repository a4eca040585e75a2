// SPDX-License-Identifier: Apache-2.0
// Implements ../addon.ts on Node: the C core is an addon of Node.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

/** The folder with build/ and prebuilt/. This module runs from src/system/node/ or, bundled, from dist/. */
const packageDirectory = fileURLToPath(
  new URL(import.meta.url.endsWith('/system/node/addon.ts') ? '../../../' : '../', import.meta.url),
)

/**
 * The directory of the built files: build/ if they were built here, otherwise those of the package for this processor. They need no
 * library, so they are the same with glibc and musl.
 */
export const buildDirectory = existsSync(`${packageDirectory}build/hutch.node`)
  ? `${packageDirectory}build`
  : `${packageDirectory}prebuilt/linux-${process.arch}`

/** Loads the C core from a file. Throws if the file is missing or was built for another Node. */
export function loadAddon(path: string): unknown {
  return createRequire(import.meta.url)(path)
}
