-- expect: fails
return json.null
