// SPDX-License-Identifier: Apache-2.0
// Containers that hutch oci runs for tests: bundles below a directory of the test file, and what the runtime answers.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { hutchArgs, hutchFile } from '../support/command.ts'
import { compileProgram } from '../support/compile.ts'
import { makeImage, workplace } from '../support/image.ts'
import { minimal } from './config-documents.ts'

/** Starts containers below a directory of their own. `remove` deletes them and the directory. */
export function containers() {
  const { path, remove } = workplace()
  const root = `${path}/state`
  const ids: string[] = []
  const oci = (...args: string[]) => {
    // files, because a container keeps the streams of its creator
    const files = ['stdout', 'stderr'].map((name) => `${path}/${name}`)
    const fds = files.map((file) => openSync(file, 'w'))
    const words = [...hutchArgs, 'oci', '--root', root, ...args]
    const { status } = spawnSync(hutchFile, words, { stdio: ['ignore', ...fds], timeout: 30_000 })
    for (const fd of fds) closeSync(fd)
    const [stdout = '', stderr = ''] = files.map((file) => readFileSync(file, 'utf8'))
    return { status, stdout, stderr }
  }
  return {
    path,
    oci,
    /** Writes a bundle, and returns its directory. The container's name is `hutch-PID-NAME`. */
    bundle(name: string, changes: { [path: string]: unknown }): { id: string; directory: string } {
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
      writeFileSync(`${directory}/config.json`, JSON.stringify(document))
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
