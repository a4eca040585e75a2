// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // runs of tests are not what a user asks `hutch why` for
    env: { HUTCH_STATE: '0' },
    setupFiles: ['test/leaks.ts'],
    // the kernel is one: files that make groups take turns
    fileParallelism: false,
    // what the host's suite has translated, suites in VMs read: there it takes a minute for each dozen files
    experimental: { fsModuleCache: true },
    testTimeout: process.env.VM ? 300_000 : 60_000,
    hookTimeout: process.env.VM ? 300_000 : 60_000,
  },
})
