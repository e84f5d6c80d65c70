-- expect: fails
return dofile("/etc/passwd")
