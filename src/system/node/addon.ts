// SPDX-License-Identifier: Apache-2.0
// Implements ../addon.ts on Node, for which the C core is built as a native addon.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

/** The directory that contains build/ and prebuilt/. This module runs either from src/system/node/ or, bundled, from dist/. */
const packageDirectory = fileURLToPath(
  new URL(import.meta.url.endsWith('/system/node/addon.ts') ? '../../../' : '../', import.meta.url),
)

/**
 * The directory of the built C core: build/ if it was built here, otherwise the package's prebuilt files for this
 * processor. These files need no library, and so work with both glibc and musl.
 */
export const buildDirectory = existsSync(`${packageDirectory}build/hutch.node`)
  ? `${packageDirectory}build`
  : `${packageDirectory}prebuilt/linux-${process.arch}`

/** Loads the C core from a file. Throws if the file is missing or was built for another version of Node. */
export function loadAddon(path: string): unknown {
  return createRequire(import.meta.url)(path)
}

/** Returns the bytes that a compiled file begins with. @throws errors of node:fs */
export function readCompiledStart(): Buffer {
  return readFileSync(`${buildDirectory}/hutch-compiled`)
}

/** Returns the path of the small program that contained commands find as `hutch`. */
export function findInsideProgram(): string {
  return `${buildDirectory}/bin/hutch`
}

/** Where contained commands find `hutch`: a directory with nothing else (plan/plan.ts). */
export const toolPath = { first: `${buildDirectory}/bin` }
