-- expect: fails
debug.sethook()
