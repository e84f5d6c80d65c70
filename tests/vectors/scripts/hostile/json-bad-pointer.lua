-- expect: fails
return json.pointer("{}", "a")
