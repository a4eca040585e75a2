#!/bin/bash

for i in $(seq 10); do hutch hog 100M; done
