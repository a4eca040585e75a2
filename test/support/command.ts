// SPDX-License-Identifier: Apache-2.0
// The command that the tests run as `hutch`: hutch for Node, or with HUTCH_HOST=standalone the binary without Node.
import { fileURLToPath } from 'node:url'

const places = { node: 'dist/cli.cjs', standalone: 'build/standalone/hutch' }
const name = process.env.HUTCH_HOST ?? 'node'
if (!(name in places)) throw new Error(`HUTCH_HOST=${name}: expected node or standalone`)

/** Which of hutch's hosts the tests run. */
export const hutchHost = name as keyof typeof places

/** The checkout. */
const checkout = fileURLToPath(new URL('../..', import.meta.url))

/** hutch for Node, for tests of that host only. */
export const cli = `${checkout}${places.node}`

/** The binary without Node, for tests that compare the two. */
export const binary = `${checkout}${places.standalone}`

/** Returns the command of hutch in a copy of the checkout. */
export function hutchIn(copy: string): [file: string, ...args: string[]] {
  const file = `${copy}/${places[hutchHost]}`
  return hutchHost === 'node' ? [process.execPath, file] : [file]
}

/** The words to which a command line's own are added. */
export const hutchCommand = hutchIn(checkout.slice(0, -1))

/** The same in two parts, for functions that take a program and its arguments. */
export const [hutchFile, ...hutchArgs] = hutchCommand

/** The file of hutch, to which links lead. */
export const hutchPath = hutchCommand.at(-1)!

/** The same command as words of a shell. */
export const hutchLine = hutchCommand.join(' ')

/** What a copy of the checkout needs to run `hutch`, as a filter for cpSync: not the objects of the binary's build. */
export const isNeeded = (path: string): boolean => !/build\/standalone\/(?!hutch$)/.test(path)
