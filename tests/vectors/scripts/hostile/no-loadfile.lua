-- expect: fails
return loadfile("/etc/passwd")
