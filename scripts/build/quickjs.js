// SPDX-License-Identifier: Apache-2.0
// Finds the sources of QuickJS-ng, and compiles them once for each compiler and set of flags. Called by standalone.js.
// The sources are a build dependency: QUICKJS_SRC, Debian's package qjs-src, or, as root on Debian, that package fetched by apt.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'

const cache = process.env.HUTCH_BUILD_CACHE ?? (process.geteuid() === 0 ? '/var/cache/hutch-build' : `${homedir()}/.cache/hutch-build`)
const parts = ['quickjs', 'libregexp', 'libunicode', 'dtoa']

const isSource = (directory) => existsSync(`${directory}/quickjs.c`)

/** Downloads the package from the distribution's mirror, with apt's lists of the suite in the cache. */
function fetchSources() {
  const mirror = `sed -n 's/^URIs: *//p; s/^deb \\(\\[[^]]*\\] \\)\\?\\([^ ]*\\).*/\\2/p' /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null | head -n 1`
  const url = execFileSync('sh', ['-c', mirror], { encoding: 'utf8' }).trim() || 'http://deb.debian.org/debian'
  mkdirSync(`${cache}/lists/partial`, { recursive: true })
  const work = mkdtempSync(`${cache}/get.`)
  // apt downloads as a user of its own
  chmodSync(work, 0o755)
  const apt = `set -e
    echo "deb ${url} sid main" >'${cache}/sid.list'
    set -- -o Dir::Etc::sourcelist='${cache}/sid.list' -o Dir::Etc::sourceparts=- -o Dir::State::lists='${cache}/lists' \\
      -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Dir::State::status=/dev/null -o Acquire::Retries=3
    apt-get update "$@"
    apt-get download "$@" qjs-src
    dpkg-deb -x qjs-src_*.deb tree`
  execFileSync('sh', ['-c', apt], { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] })
  rmSync(`${cache}/quickjs-ng`, { recursive: true, force: true })
  renameSync(`${work}/tree/usr/src/quickjs-ng`, `${cache}/quickjs-ng`)
  rmSync(work, { recursive: true })
}

/** Returns what the objects of a compiler depend on: gcc's own name is left out, since a platform's gcc has two. */
export function compilerVersion(cc) {
  const words = (option) => execFileSync(cc, [option], { encoding: 'utf8' })
  return words('-dumpmachine') + words('--version').replace(/^\S+ /, '')
}

function findSources() {
  const given = process.env.QUICKJS_SRC
  if (given) {
    if (!isSource(given)) throw new Error(`QUICKJS_SRC: ${given} has no quickjs.c`)
    return given
  }
  const found = ['/usr/src/quickjs-ng', `${cache}/quickjs-ng`].find(isSource)
  if (found) return found
  if (process.geteuid() !== 0 || !existsSync('/etc/debian_version'))
    throw new Error('the sources of QuickJS-ng are missing\n  remedy: apt-get install qjs-src (Debian sid), or set QUICKJS_SRC to their directory')
  fetchSources()
  return `${cache}/quickjs-ng`
}

/** Returns the directory of the headers, and the object files of the engine. */
export function buildQuickjs(cc, flags) {
  const include = findSources()
  const digest = createHash('sha256')
  for (const name of readdirSync(include).filter((name) => /\.[ch]$/.test(name)).sort()) digest.update(name).update(readFileSync(`${include}/${name}`))
  digest.update(compilerVersion(cc)).update(`${flags.join(' ')} -ffile-prefix-map`)
  const directory = `${cache}/objects-${digest.digest('hex').slice(0, 16)}`
  if (!existsSync(directory)) {
    mkdirSync(cache, { recursive: true })
    const work = mkdtempSync(`${cache}/compile.`)
    // names of sources in messages are the same wherever the sources are
    const names = `-ffile-prefix-map='${include}'=quickjs-ng`
    const compile = parts.map((part) => `${cc} -w ${flags.join(' ')} ${names} -D_GNU_SOURCE -c '${include}/${part}.c' -o '${work}/${part}.o' & p${part}=$!`)
    execFileSync('sh', ['-c', `${compile.join('\n')}\n${parts.map((part) => `wait $p${part} || exit 1`).join('\n')}`], { stdio: 'inherit' })
    try {
      renameSync(work, directory)
    } catch (error) {
      // another build was faster
      if (error.code !== 'ENOTEMPTY') throw error
      rmSync(work, { recursive: true })
    }
  }
  return { include, objects: parts.map((part) => `${directory}/${part}.o`) }
}

/** Returns the version of the engine, and its licence with the copyright lines of all its files. */
export function readQuickjsLicence() {
  const include = findSources()
  const texts = parts.map((part) => readFileSync(`${include}/${part}.c`, 'utf8'))
  const [comment] = /(?<=^\/\*\n)[^]*?(?=^ \*\/$)/m.exec(texts[0])
  const lines = comment.split('\n').map((line) => line.replace(/^ \* ?/, ''))
  const copyright = /^ \* (Copyright .*)$/gm
  const owners = new Set(texts.flatMap((text) => [...text.slice(0, 2000).matchAll(copyright)].map(([, line]) => line)))
  const licence = lines.slice(lines.findIndex((line) => line.startsWith('Permission is')))
  const header = readFileSync(`${include}/quickjs.h`, 'utf8')
  const numbers = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`QJS_VERSION_${part} (\\d+)`).exec(header)[1])
  return { version: numbers.join('.'), text: `${[...owners].join('\n')}\n\n${licence.join('\n').trim()}` }
}
