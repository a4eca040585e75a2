// SPDX-License-Identifier: Apache-2.0
// Containers that hutch oci runs for tests: bundles below a directory of the test file, and what the runtime answers.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { hutchCommand } from '../support/command.ts'
import { compileProgram } from '../support/compile.ts'
import { makeImage, workplace } from '../support/image.ts'
import { minimal } from './config-documents.ts'

/** Starts containers below a directory of their own. `remove` deletes them and the directory. */
export function containers() {
  const { path, remove } = workplace()
  const root = `${path}/state`
  // user namespaces enter it, too
  chmodSync(path, 0o755)
  const ids: string[] = []
  const words = (...args: string[]) => [...hutchCommand, 'oci', '--root', root, ...args]
  const run = (...args: string[]) => {
    // files, because a container keeps the streams of its creator
    const files = ['stdout', 'stderr'].map((name) => `${path}/${name}`)
    const fds = files.map((file) => openSync(file, 'w'))
    const [file = '', ...rest] = words(...args)
    const { status } = spawnSync(file, rest, { stdio: ['ignore', ...fds], timeout: 30_000 })
    for (const fd of fds) closeSync(fd)
    const [stdout = '', stderr = ''] = files.map((file) => readFileSync(file, 'utf8'))
    return { status, stdout, stderr }
  }
  /** Runs the runtime. `words` are the words of its command line. */
  const oci = Object.assign(run, { words })
  return {
    path,
    oci,
    /** Writes a bundle, and returns its directory. The container's name is `hutch-PID-NAME`. `replaced` is a text of the document, and its replacement. */
    bundle(
      name: string,
      changes: { [path: string]: unknown },
      replaced: readonly [from: string, to: string] = ['\0', ''],
    ): { id: string; directory: string } {
      const id = `hutch-${process.pid}-${name}`
      const directory = `${path}/${name}`
      ids.push(id)
      const image = makeImage(`${directory}/image`)
      for (const tool of ['sleep', 'ip', 'tr', 'stat']) symlinkSync('busybox', `${image}/bin/${tool}`)
      const document = minimal({
        'root.path': 'image',
        'process.env': ['PATH=/bin'],
        'linux.cgroupsPath': `/${id}`,
        mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
        ...changes,
      })
      writeFileSync(`${directory}/config.json`, JSON.stringify(document).replaceAll(...replaced))
      return { id, directory }
    },
    remove(): void {
      for (const id of ids) oci('delete', '--force', id)
      remove()
    },
  }
}

/** Starts the program that receives descriptors at a socket. Returns a reader of its lines. */
export async function receiver(socket: string) {
  const program = `${socket}-receiver`
  compileProgram('receive-descriptors', program)
  const child = spawn(program, [socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async () => (await lines.next()).value as string
  await line()
  return {
    line,
    async end(): Promise<void> {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
