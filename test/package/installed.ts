// SPDX-License-Identifier: Apache-2.0
// The packages as a user gets them: built by scripts/release.js, and installed offline into an empty folder, without install scripts and without gcc.
import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Names of C compilers, which the user does not have. */
const compiler = /^(.*-)?(gcc|g\+\+|cc|c\+\+|cpp|clang|tcc|c89|c99)[-.\d]*$/

export interface Installed {
  /** The user's folder, which has node_modules/hutch. */
  folder: string
  /** What scripts/release.js made. */
  release: string
  /** The user's PATH. */
  path: string
  /** Runs a program as the user; resolves with its exit status, null after a signal, and its output. */
  call(program: string, args: readonly string[]): Promise<{ status: number | null; output: string }>
  remove(): void
}

/** Programs of the machine, except compilers. The folder is not below /tmp, which a job can cover. */
function linkPrograms(folder: string): void {
  mkdirSync(folder)
  const directories = [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin']
  for (const directory of directories)
    for (const name of readdirSync(directory))
      if (!compiler.test(name))
        try {
          symlinkSync(`${directory}/${name}`, `${folder}/${name}`)
        } catch {
          // an earlier directory has it
        }
}

/** Copies the files of the repository, without anything that a build makes. */
export function copySources(folder: string): void {
  mkdirSync(folder, { recursive: true })
  execFileSync('sh', ['-c', 'git ls-files -co --exclude-standard -z | tar c --null -T - | tar x -C "$0"', folder])
}

/** The time of the files in Debian's packages: a clone without .git does not have the commit's. */
export const packageTime = { SOURCE_DATE_EPOCH: '1764000000' }

/** Returns the packages for this platform: hutch, and the binary without Node. */
export function packagesOf(release: string): string[] {
  const names = readdirSync(release).filter((name) => /^hutch-(\d.*|linux-x64-.*)\.tgz$/.test(name))
  return names.map((name) => `${release}/${name}`)
}

/** Installs the package. */
export async function install(): Promise<Installed> {
  const work = mkdtempSync('/var/tmp/hutch-package-')
  const [release, folder, path] = [`${work}/release`, `${work}/user`, `${work}/bin`]
  const built: NodeJS.ProcessEnv = { ...process.env, ...packageTime }
  execFileSync(process.execPath, ['scripts/release.js', release], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: built,
  })
  linkPrograms(path)
  mkdirSync(folder)
  writeFileSync(`${folder}/package.json`, '{ "name": "user", "version": "1.0.0" }\n')
  copyFileSync('test/package/library.mjs', `${folder}/library.mjs`)
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: path, HUTCH_STATE: '0', NO_COLOR: '1' }
  // time is measured in starts of Node, and this adds to each
  delete env.NODE_EXTRA_CA_CERTS
  const call: Installed['call'] = (program, args) =>
    new Promise((done) => {
      const child = execFile(program, args, { cwd: folder, env }, (error, stdout, stderr) =>
        done({ status: child.exitCode, output: `${stdout}${stderr}${child.pid ? '' : error?.message}` }),
      )
    })
  const { status, output } = await call('npm', ['install', '--offline', '--ignore-scripts', ...packagesOf(release)])
  if (status !== 0) throw new Error(output)
  return { folder, release, path, call, remove: () => rmSync(work, { recursive: true, force: true }) }
}
