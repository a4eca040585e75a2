// SPDX-License-Identifier: Apache-2.0
// node scripts/release.js [DIR [PLATFORM…]]: everything of a release in DIR, for all platforms or the given ones, from dist/ as it is.
// npm run build:release builds dist/ first, and DIR is release/. In it are afterwards:
//   hutch-VERSION.tgz, hutch-PLATFORM-VERSION.tgz   the packages of npm; the second holds the binary without Node (scripts/release/npm.js)
//   hutch-PLATFORM                                  the binary without Node, one file
//   hutch_VERSION-1_amd64.deb, …_arm64.deb          Debian's packages, if dpkg-deb is installed (scripts/release/deb.js)
//   THIRD-PARTY.md, SHA256SUMS
// Binaries are made again if they are not of the sources as they are. Two builds of one commit have the same bytes. Needs gcc for each platform:
// apt-get install gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { directoriesOf, platforms } from './build/platforms.js'
import { makeDeb } from './release/deb.js'
import { formatLicences } from './release/licences.js'
import { packMain, packPlatform } from './release/npm.js'

const release = resolve(process.argv[2] ?? 'release')
const chosen = process.argv.length > 3 ? process.argv.slice(3) : Object.keys(platforms)
rmSync(release, { recursive: true, force: true })
mkdirSync(release, { recursive: true })
for (const platform of chosen)
  execFileSync(process.execPath, ['scripts/build/standalone.js', '--platform', platform], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
writeFileSync(`${release}/THIRD-PARTY.md`, formatLicences())
const staging = `${release}/staging`
await packMain(chosen, `${staging}/hutch`, release)
const withDebs = spawnSync('dpkg-deb', ['--version']).status === 0
if (!withDebs) console.error('dpkg-deb is not installed: no .deb packages')
for (const platform of chosen) {
  cpSync(`${directoriesOf(platform).standalone}/hutch`, `${release}/hutch-${platform}`)
  packPlatform(platform, `${staging}/hutch-${platform}`, release)
  if (withDebs) makeDeb(platform, `${staging}/deb-${platform}`, release)
}
rmSync(staging, { recursive: true })
const sumOf = (name) =>
  createHash('sha256')
    .update(readFileSync(`${release}/${name}`))
    .digest('hex')
const sums = readdirSync(release)
  .sort()
  .map((name) => `${sumOf(name)}  ${name}\n`)
writeFileSync(`${release}/SHA256SUMS`, sums.join(''))
