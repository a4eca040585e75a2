// SPDX-License-Identifier: Apache-2.0
// The package as `npm install git+…` gives it: npm clones the repository, builds it with gcc and the development dependencies, and installs the result.
import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { copySources } from './installed.ts'

/** Errors of npm that mean: the cache lacks a development dependency, and the registry cannot be reached. */
const unreachable = /\b(ENOTCACHED|EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH)\b.*/

export interface FromGit {
  /** The user's folder, which has node_modules/hutch unless `missing` is set. */
  folder: string
  /** Why npm could not get the development dependencies. */
  missing?: string
  /** Runs a program in the user's folder; resolves with its exit status, null after a signal, and its output. */
  call(program: string, args: readonly string[]): Promise<{ status: number | null; output: string }>
  remove(): void
}

/** Commits the sources into a new repository, and installs the package from it into an empty folder. @throws if npm fails for a reason other than the network */
export async function installFromGit(): Promise<FromGit> {
  const work = mkdtempSync('/var/tmp/hutch-from-git-')
  const [clone, folder] = [`${work}/clone`, `${work}/user`]
  copySources(clone)
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', clone, '-c', 'user.name=x', '-c', 'user.email=x', ...args])
  git('init', '--quiet')
  git('add', '--all')
  git('commit', '--quiet', '--message', 'sources')
  mkdirSync(folder)
  writeFileSync(`${folder}/package.json`, '{ "name": "user", "version": "1.0.0" }\n')
  copyFileSync('test/package/library.mjs', `${folder}/library.mjs`)
  const env: NodeJS.ProcessEnv = { ...process.env, HUTCH_STATE: '0', NO_COLOR: '1' }
  const call: FromGit['call'] = (program, args) =>
    new Promise((done) => {
      const child = execFile(program, args, { cwd: folder, env }, (error, stdout, stderr) =>
        done({ status: child.exitCode, output: `${stdout}${stderr}${child.pid ? '' : error?.message}` }),
      )
    })
  const remove = () => rmSync(work, { recursive: true, force: true })
  // packages in npm's cache are used without the network
  const { status, output } = await call('npm', ['install', '--prefer-offline', `git+file://${clone}`])
  if (status === 0) return { folder, call, remove }
  const [missing] = unreachable.exec(output) ?? []
  if (missing !== undefined) return { folder, missing, call, remove }
  remove()
  throw new Error(output)
}
