// SPDX-License-Identifier: Apache-2.0
// @anthropic-ai/sandbox-runtime calls bwrap from PATH, with a long command line of its own: here it finds hutch's.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { collect, hutch } from '../cli/hutch.ts'
import { requires } from '../support/requires.ts'

const runtime = resolve('node_modules/@anthropic-ai/sandbox-runtime/dist/cli.js')
const place = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
afterAll(() => rmSync(place, { recursive: true }))

test('sandbox-runtime runs a command on hutch’s bwrap, and holds it in', { timeout: 120_000 }, async (context) => {
  requires(context, 'root', 'socat(1)', 'ripgrep', 'sandbox-runtime')
  for (const name of ['links', 'open', 'closed', 'home']) mkdirSync(`${place}/${name}`)
  expect(await hutch(['links', '--dir', `${place}/links`])).toMatchObject({ status: 0 })
  const settings = {
    network: { allowedDomains: [], deniedDomains: [] },
    filesystem: { denyRead: [`${place}/home`], allowWrite: [`${place}/open`], denyWrite: [] },
  }
  writeFileSync(`${place}/settings.json`, JSON.stringify(settings))
  writeFileSync(`${place}/home/secret`, 'secret')
  const script = [
    'cat /proc/1/comm',
    `echo x > ${place}/open/file && echo open`,
    `echo x > ${place}/closed/file || echo closed`,
    `cat ${place}/home/secret || echo hidden`,
    'exit 7',
  ].join('; ')
  const start = () =>
    collect(process.execPath, [runtime, '--settings', `${place}/settings.json`, '-c', script], {
      cwd: `${place}/open`,
      env: { ...process.env, PATH: `${place}/links:${process.env.PATH}`, HOME: place },
    })
  let ended = await start()
  // it gives its own socat(1) 0.6 s, before bwrap is called at all: a busy machine may need more
  for (let tries = 0; tries < 5 && ended.stderr.includes('Failed to create bridge sockets'); tries++)
    ended = await start()
  const { status, stdout } = ended
  expect([status, stdout, existsSync(`${place}/open/file`)]).toEqual([7, 'hutch-init\nopen\nclosed\nhidden\n', true])
  expect(stdout).not.toContain('secret')
  expect(existsSync(`${place}/closed/file`)).toBe(false)
})
