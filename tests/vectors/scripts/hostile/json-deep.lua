-- expect: fails
return json.decode(("["):rep(100) .. ("]"):rep(100))
