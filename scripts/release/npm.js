// SPDX-License-Identifier: Apache-2.0
// The packages of npm: hutch, and one for each platform with the binary without Node. Called by scripts/release.js.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { buildSmallCli } from '../build/cli.js'
import { directoriesOf, platforms } from '../build/platforms.js'

const shared = { bundle: true, platform: 'node', target: 'node20', logLevel: 'warning' }
const readPackage = () => JSON.parse(readFileSync('package.json', 'utf8'))
const writePackage = (folder, contents) =>
  writeFileSync(`${folder}/package.json`, `${JSON.stringify(contents, null, 2)}\n`)

function pack(folder, release) {
  cpSync('LICENSE', `${folder}/LICENSE`)
  cpSync(`${release}/THIRD-PARTY.md`, `${folder}/THIRD-PARTY.md`)
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', release], {
    cwd: folder,
    stdio: 'ignore',
  })
}

/** The package hutch: the library, the CLI for Node, and the C core for the given platforms. It names the package of each platform. */
export async function packMain(chosen, folder, release) {
  const main = readPackage()
  mkdirSync(folder, { recursive: true })
  const own = main.files.filter((path) => !/^(!|build|prebuilt|THIRD-PARTY)/.test(path))
  const keep = (path) => !/^(dist\/(cli|hutch)\b|docs\/(images|decisions))/.test(path)
  for (const path of [...own, 'README.md']) cpSync(path, `${folder}/${path}`, { recursive: true, filter: keep })
  await buildSmallCli(shared, `${folder}/dist`)
  // hutch-init is inside the first two
  for (const platform of chosen)
    for (const name of ['hutch.node', 'hutch-compiled', 'bin/hutch'])
      cpSync(`${directoriesOf(platform).core}/${name}`, `${folder}/prebuilt/${platform}/${name}`)
  const binaries = Object.keys(platforms).map((platform) => [`hutch-${platform}`, main.version])
  const { scripts: _, devDependencies: __, ...published } = main
  writePackage(folder, {
    ...published,
    optionalDependencies: { ...Object.fromEntries(binaries), ...main.optionalDependencies },
  })
  pack(folder, release)
}

/** The package hutch-PLATFORM: one file. */
export function packPlatform(platform, folder, release) {
  const { version, license, homepage, repository, bugs, engines: _, ...main } = readPackage()
  const [os, cpu] = platform.split('-')
  mkdirSync(folder, { recursive: true })
  cpSync(`${directoriesOf(platform).standalone}/hutch`, `${folder}/hutch`)
  writeFileSync(
    `${folder}/README.md`,
    `# hutch for Linux on ${cpu}\n\nThe program that the package ${main.name} starts. Install ${main.name}.\n`,
  )
  writePackage(folder, {
    name: `hutch-${platform}`,
    version,
    description: `hutch without Node, for Linux on ${cpu}: one static file`,
    ...{ license, homepage, repository, bugs },
    ...{ os: [os], cpu: [cpu], preferUnplugged: true },
    files: ['hutch', 'THIRD-PARTY.md'],
  })
  pack(folder, release)
}
