-- expect: fails
return tostring(os.time())
