-- expect: fails
return tostring({} < {})
