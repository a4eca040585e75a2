// SPDX-License-Identifier: Apache-2.0
// dist/cli.cjs, the file that Node starts. It loads a part of the CLI from dist/cli/ when the part is first required, with the bytecode
// that the build stored beside it. V8 rejects bytecode of another version of Node, and compiles the part instead.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'

const folder = `${__dirname}/cli/`
const url = pathToFileURL(__filename).href
const parts = new Map<string, { exports: object }>()

type Members = { [name: string]: () => unknown }

/**
 * Loads a module for the code of a part, as its require(). The name `./NAME.cjs` loads another part, and `./NAME.cjs#MEMBER` a file in a
 * part. Any other name is a module of Node or a package.
 */
function load(name: string): unknown {
  if (!name.startsWith('./')) return require(name)
  const [file = '', member] = name.split('#')
  const { exports } = parts.get(file) ?? loadPart(file)
  return member === undefined ? exports : (exports as Members)[member]?.()
}

function loadPart(file: string): { exports: object } {
  const filename = folder + file.slice(2)
  const part = { exports: {} }
  parts.set(file, part)
  // the files of parts contain only ASCII: decoding them as latin1 is fastest
  const source = readFileSync(filename, 'latin1')
  const script = new Script(source, { filename, cachedData: readCache(filename) })
  script.runInThisContext()(part, part.exports, load, url)
  return part
}

function readCache(filename: string): Buffer | undefined {
  try {
    return readFileSync(`${filename}.cache`)
  } catch {
    return undefined
  }
}

load('./main.cjs')
